/**
 * A page that shows a photograph come back out of its gradient. Everything is computed in the browser, in a worker.
 *
 *   npm run page
 */
import '@picocss/pico/css/pico.min.css'
import 'uplot/dist/uPlot.min.css'
import './style.css'
import { render } from 'preact'
import { Page } from './page'

render(<Page />, document.getElementById('page')!)
// it works without a network from the second visit on
if (import.meta.env.PROD && 'serviceWorker' in navigator)
  navigator.serviceWorker.register(new URL('offline.js', document.baseURI)).catch(() => {})
