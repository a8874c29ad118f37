// What pages do beyond HTML: copy buttons, and the live number of claimed places. Every page works without it.
'use strict'

document.documentElement.classList.add('scripted')

/** <button class="copy" data-copy="ID"> copies the text of that element. */
document.addEventListener('click', async (event) => {
  const button = event.target instanceof Element ? event.target.closest('[data-copy]') : null
  const source = button && document.getElementById(button.dataset.copy)
  if (!source) return
  const said = button.dataset.label ?? button.textContent
  button.dataset.label = said
  try {
    await navigator.clipboard.writeText(source.textContent)
    button.textContent = 'Copied'
  } catch {
    getSelection().selectAllChildren(source)
    button.textContent = 'Press Ctrl+C'
  }
  setTimeout(() => (button.textContent = said), 2000)
})

/** On a phone the tab that is open may stand beside the screen. */
document.querySelector('.dash-nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' })

/** <div data-progress="STREAM"> holds a progress element and spans that show `claimed`, `total`, `remaining`. A hidden page gives its connection back. */
for (const box of document.querySelectorAll('[data-progress]')) follow(box)

function follow(box) {
  let stream
  const open = () => {
    stream = new EventSource(box.dataset.progress)
    stream.onmessage = ({ data }) => show(box, JSON.parse(data))
    // A refusal ends a stream for good: asked again, not by everybody at once.
    stream.onerror = () => stream.readyState === EventSource.CLOSED && setTimeout(change, 5000 + Math.random() * 10000)
  }
  const change = () => {
    stream?.close()
    if (!document.hidden) open()
  }
  document.addEventListener('visibilitychange', change)
  addEventListener('pagehide', () => stream?.close())
  change()
}

function show(box, progress) {
  const bar = box.querySelector('progress')
  if (bar) {
    bar.max = Math.max(1, progress.total)
    bar.value = progress.claimed
  }
  for (const part of box.querySelectorAll('[data-part]')) {
    const value = progress[part.dataset.part]
    if (value !== undefined) part.textContent = String(value)
  }
  for (const part of box.querySelectorAll('[data-when]')) part.hidden = (part.dataset.when === 'left') !== progress.remaining > 0
}
