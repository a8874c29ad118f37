/** In place of the gateway's own metering, for the gateway against which the price of everything is measured: counts nothing. */
import type { Metering } from '../../../controller/gateway/metering.ts'

const nothing = (): void => undefined

export const createMetering = (): Metering => ({ passed: nothing, takenBack: nothing, ended: nothing, refused: nothing })
