/** The channel that every sample account is in. */
export const CHANNEL = 'town-square'
