"""
After a 401 the provider is told, and asked for another token.

A request begins while another one renews. Its provider answers after the renewal, with the new token. That
one is refused as well (it was revoked meanwhile). Right: the provider hears of it and gives a third token.
"""

import asyncio

from platform_by_bytes import Server, http, wrong

from itwin_async import AuthenticationError, Session


class Provider:
    def __init__(self):
        self.number, self.slow, self.gate, self.told = 1, True, asyncio.Event(), []

    async def get_token(self):
        if self.slow:
            self.slow = False
            await self.gate.wait()
        return f"token-number-{self.number}"

    def invalidate(self, token):
        self.told.append(token)
        if token == f"token-number-{self.number}":
            self.number += 1


async def main():
    good = {"/first": {"3"}, "/second": {"2", "3"}}

    def answer(method, target, headers, number):
        return (
            http(status=204) if headers["authorization"][-1] in good[target] else http(status=401)
        )

    async with Server(answer) as server:
        provider = Provider()
        async with Session(provider, base_url=server.url) as session:
            first = asyncio.create_task(session.request("GET", "/first"))
            await asyncio.sleep(0.05)
            await session.request("GET", "/second")  # token 1 is refused, token 2 comes
            provider.gate.set()
            try:
                await asyncio.wait_for(first, 10)
            except AuthenticationError:
                wrong(
                    f"401 raised; the provider was told only of {provider.told}, never asked for a third token"
                )


asyncio.run(main())
