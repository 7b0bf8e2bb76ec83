from __future__ import annotations

from itertools import product
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from conftest import measures  # type: ignore[import-not-found]
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_lab.report.aggregate import bootstrap_interval, group_runs
from sr_lab.report.collection import collect
