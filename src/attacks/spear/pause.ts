export { type Pause, pauses } from '../contract/pause'
