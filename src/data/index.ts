export { type Archive, type ArchiveOptions, cachedArchive, cacheFolder, readArchive } from './archive'
export { type CifarSample, type CifarSet, type CifarSplit, cifar10, cifar100, cifarSample } from './cifar'
export { type TarFile, tarFiles } from './tar'
