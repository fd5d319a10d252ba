// Keeps whatever the page has loaded, so that it works without a network from then on. Nothing but its own files is asked for.
const KEPT = 'page'

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', (event) => {
  const { request } = event
  if (request.method !== 'GET' || new URL(request.url).origin !== self.location.origin) return
  event.respondWith(answer(request))
})

// the newest from the network, where there is one
async function answer(request) {
  const kept = await caches.open(KEPT)
  try {
    const response = await fetch(request)
    if (response.ok) await kept.put(request, response.clone())
    return response
  } catch (error) {
    const before = await kept.match(request, { ignoreSearch: request.mode === 'navigate' })
    if (before) return before
    throw error
  }
}
