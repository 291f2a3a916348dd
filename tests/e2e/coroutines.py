"""Tests that are coroutines, without a plugin of pytest's."""
import asyncio
import inspect


def run(pyfuncitem, timeout_s):
    """For the hook pytest_pyfunc_call: runs a coroutine, and closes the fixture `skein` at its end. None for other functions."""
    function = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(function).parameters}

    async def run_and_close():
        try:
            await asyncio.wait_for(function(**arguments), timeout_s)
        finally:
            if "skein" in arguments:
                await arguments["skein"].close()
    asyncio.run(run_and_close())
    return True
