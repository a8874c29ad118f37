/** What a product's pages have of their own beside words: its colour as a style sheet and its mark as a picture. */
import type { ProductSite } from '../core/specs.ts'

type Accent = ProductSite['accent']

/** Of pages that belong to no product. */
const NEUTRAL: Accent = { light: '#33415c', dark: '#b8c4de' }

export function accentCss({ light, dark }: Accent = NEUTRAL): string {
  return `:root{--accent:${light};--on-accent:#fff}@media (prefers-color-scheme:dark){:root{--accent:${dark};--on-accent:#0b0d12}}`
}

/** Three layers: what stays when the page above is gone. */
export function iconSvg({ light, dark }: Accent = NEUTRAL): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><style>.a{fill:${light}}.i{fill:none;stroke:#fff;stroke-width:2.4;stroke-linecap:round;stroke-linejoin:round}@media (prefers-color-scheme:dark){.a{fill:${dark}}.i{stroke:#0b0d12}}</style><rect class="a" width="32" height="32" rx="8"/><path class="i" d="m7.5 12 8.5-4.5 8.5 4.5-8.5 4.5zM7.5 16.2l8.5 4.5 8.5-4.5M7.5 20.4l8.5 4.5 8.5-4.5"/></svg>`
}
