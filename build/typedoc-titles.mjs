/** A TypeDoc plugin: a document is listed under its heading, not under its path. */
import { Converter } from 'typedoc'

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, document) => {
    const text = document.content.map((part) => part.text).join('')
    document.name = /^# (.+)$/m.exec(text)?.[1] ?? document.name
  })
}
