import asyncio


async def work():
    raise RuntimeError("nobody waits")


async def main():
    asyncio.ensure_future(work())
    await asyncio.sleep(0)


asyncio.run(main())
