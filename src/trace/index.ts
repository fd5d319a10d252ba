export { applyLayers } from './layers'
export { type Captured, type Recorder, record } from './recorder'
