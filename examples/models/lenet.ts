export { type LeNetOptions, lenet } from '../../src/models/lenet'
