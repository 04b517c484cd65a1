/** Text of others, of which no character moves the cursor or turns the line around. */
export function printable(text: string): string {
  return text.replace(/[^\P{C}\t]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}
