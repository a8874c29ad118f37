/** Calls around webhook endpoints, meters and what is reported to them. */
import { invalid } from '../refusal.ts'
import { formAt, get, given, is, list, listAt, mergeMetadata, post, textAt, textsAt, type MakeRoutes } from './route.ts'

export const setupRoutes: MakeRoutes = ({ ledger, setup }) => [
  list('/v1/webhook_endpoints', [], () => ledger.state.all('endpoint').map(({ endpoint }) => endpoint).reverse()),
  get('/v1/webhook_endpoints/:id', setup.endpoint),
  post('/v1/webhook_endpoints', ['url', 'enabled_events', 'api_version', 'description', 'metadata'], ({ form }) => {
    const url = textAt(form['url'])
    const enabledEvents = listAt(form['enabled_events']).filter((each) => typeof each === 'string')
    if (url === undefined || !URL.canParse(url)) throw invalid('Invalid URL: An explicit scheme (such as https) must be provided.', 'url')
    if (enabledEvents.length === 0) throw invalid('Missing required param: enabled_events.', 'enabled_events')
    return setup.createEndpoint({ url, enabledEvents, apiVersion: textAt(form['api_version']) ?? null, description: textAt(form['description']) ?? null, metadata: textsAt(form['metadata']) })
  }),
  post('/v1/webhook_endpoints/:id', ['url', 'enabled_events', 'description', 'metadata', 'disabled'], ({ id, form }) => {
    const events = listAt(form['enabled_events']).filter((each) => typeof each === 'string')
    const disabled = textAt(form['disabled'])
    const metadata = form['metadata'] === undefined ? undefined : mergeMetadata(setup.endpoint(id).metadata, form['metadata'])
    const status = disabled === undefined ? undefined : disabled === 'true' ? ('disabled' as const) : ('enabled' as const)
    return setup.updateEndpoint(id, given({ url: textAt(form['url']), enabled_events: events.length === 0 ? undefined : events, description: textAt(form['description']) as never, metadata, status }))
  }),
  { method: 'DELETE', path: '/v1/webhook_endpoints/:id', accepts: [], handle: ({ id }) => ({ ...setup.updateEndpoint(id, { status: 'disabled' }), deleted: true }) },
  list('/v1/billing/meters', ['status'], (form) => ledger.state.all('meter').filter((each) => is(form, 'status', each.status)).toReversed()),
  get('/v1/billing/meters/:id', setup.meter),
  post('/v1/billing/meters', ['display_name', 'event_name', 'default_aggregation', 'customer_mapping', 'value_settings', 'event_time_window'], ({ form }) => {
    const eventName = textAt(form['event_name'])
    const formula = textAt(formAt(form['default_aggregation'])['formula'])
    if (eventName === undefined || formula === undefined) throw invalid('Missing required param: event_name or default_aggregation.', 'event_name')
    return setup.createMeter({ displayName: textAt(form['display_name']) ?? eventName, eventName, formula })
  }),
  post('/v1/billing/meter_events', ['event_name', 'payload', 'identifier', 'timestamp'], ({ form }) =>
    setup.report({
      eventName: textAt(form['event_name']) ?? '',
      identifier: textAt(form['identifier']) ?? ledger.newId('mev'),
      payload: textsAt(form['payload']),
      timestamp: Number(textAt(form['timestamp']) ?? ledger.seconds()),
    }),
  ),
]
