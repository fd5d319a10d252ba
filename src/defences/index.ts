export { type Defence, defended } from './defence'
