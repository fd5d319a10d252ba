import type { LayerCase } from './layer-case'
import { denseCases } from './layers-dense'
import { imageCases } from './layers-image'
import { recurrentCases } from './layers-recurrent'
import { shapeCases } from './layers-shape'

export const layerCases: LayerCase[] = [...denseCases, ...imageCases, ...shapeCases, ...recurrentCases]
