"""Runs one contender for one round: `python -m bench.contenders JOB`. Prints what it measured as JSON."""

import asyncio
import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.contenders import CONTENDERS
from bench.job import Clock, Job, stop_with_parent


async def main(job: Job) -> None:
    """Run the contender until its clock has stopped."""
    clock = Clock(job.messages)
    stop_with_parent(clock)
    await importlib.import_module(CONTENDERS[job.contender].module).run(job, clock)
    if clock.measured is not None:
        print(json.dumps(asdict(clock.measured)))


if __name__ == "__main__":
    asyncio.run(main(Job.read(Path(sys.argv[1]))))
