"""What the Python peers share: the conversation, the file format, the clock."""
import json
import os
import resource
import struct
import sys
import time

import numpy as np


def read_safetensors(path):
    with open(path, 'rb') as f:
        (length,) = struct.unpack('<Q', f.read(8))
        header = json.loads(f.read(length))
        body = f.read()
    header.pop('__metadata__', None)
    return {
        name: np.frombuffer(body[slice(*entry['data_offsets'])], np.float32).reshape(entry['shape']).copy()
        for name, entry in header.items()
    }


def timed(ms, what):
    """Repeats something for about `ms` milliseconds, at least twice."""
    began, count = time.perf_counter(), 0
    while count < 2 or (time.perf_counter() - began) * 1e3 < ms:
        what()
        count += 1
    return {'count': count, 'ms': (time.perf_counter() - began) * 1e3}


def pin(threads):
    """Keeps this process on as many cores as it may use."""
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def memory(_):
    return {'peakMb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def serve(handlers):
    """Answers requests, one JSON object a line on stdin, in order, with one line each on stdout."""
    answers = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = handlers[request['do']](request)
        except Exception as error:
            reply = {'error': f'{type(error).__name__}: {error}'}
        answers.write(json.dumps(reply) + '\n')
