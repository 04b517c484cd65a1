import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPrinter } from '../../demo/printer.ts'
import { showOutput } from '../../demo/show-output.ts'

/** The lines that the demo shows of a script's output. */
function linesOf(output: string): readonly string[] {
  let text = ''
  showOutput(
    output,
    createPrinter((more) => {
      text += more
    }, false),
  )
  return text.trimEnd().split('\n')
}

const MESSAGE = `Token exchange denied. ${'One condition is not met. '.repeat(20)}`.trim()

test("a refusal's message is broken between words, beneath what the script printed itself", () => {
  const details = [{ decisionId: 'd-1', reason: 'condition_not_met', rules: [{ id: 'rule-1' }] }]
  const answer = JSON.stringify({ code: 7, message: MESSAGE, details })

  const [first, ...lines] = linesOf(`Failed to get access token\n${answer}`)

  assert.equal(first, '   | Failed to get access token')
  assert.equal(lines.pop(), '   | reason: condition_not_met · decision: d-1')
  assert.equal(lines.map((line) => line.slice('   | '.length)).join(' '), MESSAGE)
  assert.ok(lines.length > 3)
  assert.ok(lines.every((line) => line.length <= 105))
})

test('of a refusal that tells no reason the decision is named all the same', () => {
  const lines = linesOf('{"code":16,"message":"Token exchange denied.","details":[{"decisionId":"d-1"}]}')

  assert.deepEqual(lines, ['   | Token exchange denied.', '   | reason: not told · decision: d-1'])
})

for (const output of [
  'Authenticated as: {"name":"users/a"}',
  '{"name":"users/a","message":"no code"}',
  '{"code":7,"message":"cut off',
  'null',
  '[]',
]) {
  test(`what is no refusal is shown as it is: ${output}`, () => {
    assert.deepEqual(linesOf(output), [`   | ${output}`])
  })
}

for (const details of ['[]', 'null', '[null]', '["text"]', '[{"decisionId":7}]']) {
  test(`a refusal with odd details shows its message alone: ${details}`, () => {
    assert.deepEqual(linesOf(`{"code":16,"message":"No.","details":${details}}`), ['   | No.'])
  })
}
