import type { Command } from '../command'
import { TABLE_OPTIONS, tableAttack } from '../table-options'

/** Records of a table behind a gradient from elsewhere. */
export const table: Command = {
  name: 'table',
  usage: '--model model.json --gradients FILE --schema FILE',
  summary: 'records of a table, out of a gradient that your own set-up shared',
  description: `Takes a tfjs model that reads a table, the gradient that a client shared, and how the client encodes its columns, and
gives records back. Writes records.csv (with a confidence from 0 to 1 for each cell), records.html, schema.json and
result.json. Exact ways come first: behind a dense first layer they find whole batches in about a second, with a proof.
Else the records are searched. A cell that ends in ? has a confidence below 0.9, or is of a search that failed; ?? is
below 0.5. The schema is a JSON file, or inferred from the table that the encoder was fitted to.`,
  options: TABLE_OPTIONS,
  examples: [
    'dlg table --model model.json --gradients g.npz --schema schema.json --batch-size 8',
    'dlg table --model model.json --gradients g.npz --csv train.csv --exclude income --encoders age=min-max --batch-size 8',
    'dlg table --model model.json --gradients g.npz --schema schema.json --original rows.csv --json',
  ],
  async run(args, terminal) {
    const options = tableAttack(args)
    // what it pulls in takes a while to load, and wrong input should be told at once
    const { attackTable } = await import('../table-attack')
    return attackTable(options, terminal)
  },
}
