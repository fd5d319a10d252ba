export { cachedArchive, cacheFolder, readArchive } from './archive'
export { type CifarSet, type CifarSplit, cifar10, cifar100, cifarSample } from './cifar'
export { tarFiles } from './tar'
