/** The first control character (Unicode category Cc) of a text. */
export function findControlCharacter(text: string): string | undefined {
  return /\p{Cc}/u.exec(text)?.[0]
}
