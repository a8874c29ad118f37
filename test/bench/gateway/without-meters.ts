/** Loaded before a gateway, in all of its threads: it runs without meters. Only a bench needs such a gateway, so that it has no setting. */
import { registerHooks } from 'node:module'

registerHooks({
  resolve: (specifier, context, next) => next(specifier === './metering.ts' ? new URL('no-metering.ts', import.meta.url).href : specifier, context),
})
