/**
 * Defences that change what a client shares, and the attacker who knows of them.
 *
 * @module dlg-ts/defences
 */

export { type Defence, defended } from './defence'
