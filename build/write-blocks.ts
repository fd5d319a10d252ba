/**
 * Writes the ```ts blocks of README and guides into a folder, to compile them as a reader would.
 *
 *   npx tsx build/write-blocks.ts FOLDER
 */
import { writeBlocks } from '../test/doc-blocks'

console.log(`${writeBlocks(process.argv[2]).size} blocks`)
