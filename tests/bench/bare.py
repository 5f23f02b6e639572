"""What job creation is held against: bare FastAPI and psycopg doing the inserts of one submit, nothing else."""

from __future__ import annotations

import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uuid_utils.compat
from fastapi import FastAPI, Request
from psycopg_pool import AsyncConnectionPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pool = AsyncConnectionPool(os.environ["DATABASE_URL"], min_size=4, max_size=8, open=False)

TABLES = """
CREATE SCHEMA IF NOT EXISTS bare;
CREATE TABLE IF NOT EXISTS bare.job (LIKE public.orchestration_job INCLUDING ALL);
CREATE TABLE IF NOT EXISTS bare.jobinput (LIKE public.orchestration_jobinput INCLUDING ALL);
CREATE TABLE IF NOT EXISTS bare.steprun (LIKE public.orchestration_steprun INCLUDING ALL);
CREATE TABLE IF NOT EXISTS bare.event (LIKE public.orchestration_event INCLUDING ALL);
"""
JOB = """INSERT INTO bare.job (id, workspace_id, created_by_id, pipeline_version_id, name, params, labels, priority,
 input_count, state, run, waiting_reason, waiting_detail, failure_kind, failure_detail, idempotency_key, request_digest)
 VALUES (%s, %s, %s, %s, '', '{}', '{}', 0, 1, 'WAITING', 1, '', '', '', '', %s, %s)"""
INPUT = "INSERT INTO bare.jobinput (job_id, file_id, position) VALUES (%s, %s, 0)"
STEP = """INSERT INTO bare.steprun (id, job_id, name, position, state, run, items_total, failure_kind, failure_detail)
 VALUES (%s, %s, 'nothing', 0, 'WAITING', 1, 1, '', '')"""
EVENT = """INSERT INTO bare.event (workspace_id, job_id, kind, step, old, new, reason, data)
 VALUES (%s, %s, 'job', '', '', 'WAITING', 'submitted', '{}')"""


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await pool.open()
    async with pool.connection() as connection:
        await connection.execute(TABLES)
    yield
    await pool.close()


app = FastAPI(lifespan=lifespan)


@app.post("/jobs", status_code=201)
async def create(request: Request) -> dict[str, Any]:
    body = json.loads(await request.body())
    job_id, workspace = uuid_utils.compat.uuid7(), body["workspace_id"]
    async with pool.connection() as connection:
        await connection.execute(JOB, [job_id, workspace, body["user_id"], body["version_id"], body["key"], "0" * 64])
        await connection.execute(INPUT, [job_id, body["inputs"][0]])
        await connection.execute(STEP, [uuid_utils.compat.uuid7(), job_id])
        await connection.execute(EVENT, [workspace, job_id])
    return {"id": str(job_id), "state": "WAITING"}
