export { applyLayers, hasPenalties, penaltiesOf } from './layers'
export { type Captured, type Recorder, record } from './recorder'
