/** Writes a place in a JSON document as one reads it, for example `workloadIdentityConfig.rules[0].refs[1].pattern`. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    const name = String(part)
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return text === '' ? name : `${text}.${name}`
    return `${text}[${shownText(name)}]`
  }, '')
}

/** A text of the caller's in a message: in single quotes, on one line, not longer than helps. */
export function shownText(text: string): string {
  const safe = text.replace(/[\p{Cc}\p{Cs}\u2028\u2029\\]/gu, '\u{FFFD}')
  return safe.length > 100 ? `'${[...safe].slice(0, 100).join('')}…'` : `'${safe}'`
}

/** As many as there are of anything that has to be one of a list. */
const MAX_SHOWN = 30

/** Several texts in a message, as an alternative. */
export function shownList(texts: readonly string[]): string {
  const shown = texts.slice(0, MAX_SHOWN).map(shownText)
  const more = texts.length > MAX_SHOWN ? ` or ${texts.length - MAX_SHOWN} others` : ''
  if (shown.length < 2 || more !== '') return `${shown.join(', ')}${more}`
  return `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`
}
