"""
DateTime.MaxValue of .NET ("no end") is 9999-12-31T23:59:59.9999999, in the platform's own form of seven
digits. Right: the page is read; the moment is the last one that Python has, or none.
"""

import asyncio

from platform_by_bytes import Server, http, page, wrong

from itwin_async import ITwinError, RetryPolicy, Session, imodels, itwins

ITWIN = "ad0ba809-9241-48ad-9eb0-c8038c1a1d51"


async def main():
    bad = []
    for text in (
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59.9999999",
        "9999-12-31T23:59:59.9999999+00:00",
    ):

        def answer(method, target, headers, number):
            key = "iTwins" if "itwins" in target else "iModels"
            document = page(["a", "b"], key=key)
            document[key][1]["createdDateTime"] = text
            return http(document)

        async with Server(answer) as server:
            async with Session(
                "a-token-of-a-test", base_url=server.url, retry=RetryPolicy(retries=0)
            ) as session:
                for pager in (
                    imodels.list_favorites(session, ITWIN).full(),
                    itwins.list_favorites(session).full(),
                ):
                    try:
                        found = await pager.collect()
                        assert [each.id for each in found] == ["a", "b"]
                        moment = found[1].created_date_time
                        assert moment is None or moment.year == 9999, moment
                    except ITwinError as error:
                        bad.append(f"{text}: {type(error).__name__}")
    if bad:
        wrong(f"one such moment makes the whole list unreadable: {bad[0]} ({len(bad)} of 6)")


asyncio.run(main())
