// Whose page this is: the token of this tab, or in --dev the demo user's.

const TOKEN_KEY = 'moonx-token'; // in sessionStorage: this tab's, gone with it

export const socketUrl = () => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
export const keepToken = (token) => sessionStorage.setItem(TOKEN_KEY, token);
export const forgetToken = () => sessionStorage.removeItem(TOKEN_KEY);

/** undefined: none is to be had. */
export async function findToken() {
    const kept = sessionStorage.getItem(TOKEN_KEY);
    if (kept) return kept;
    const response = await fetch('/console/session');
    return response.ok ? (await response.json()).token : undefined;
}
