# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""After every request the model of the networking state and Northbound agree, refusals included."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from faults.machine_nonsense import NonsenseMachine
from faults.machine_ports import PortMachine
from faults.machine_routers import RouterMachine

pytestmark = pytest.mark.daemon

STEPS = 40
EXAMPLES = int(os.environ.get("TESTS_EXAMPLES", "25"))


class EverythingMachine(PortMachine, RouterMachine, NonsenseMachine):
    """All kinds of requests, on a site with a floating IP, behind a router mostly."""

    @initialize(is_routed=st.sampled_from([True, True, True, False]))
    def begin(self, is_routed: bool) -> None:
        self.create_group("a")
        self.create_network("a", is_external=False)
        self.create_network("b", is_external=True)
        self.create_subnet(0, "10.0.0.0/29", (None, None), None)
        self.create_subnet(1, "10.1.0.0/29", (None, None), None)
        self.create_subnet(0, "fd00:0:0:1::/64", ("slaac", "slaac"), None)
        self.create_router("a", 0 if is_routed else None, None, None)
        self.attach(0, 0)
        self.create_port(0, "a", None, None, {0})
        self.create_floating_ip(0, None, 0 if is_routed else None, None)
        assert [is_routed] == [bool(one.port_id) for one in self.model.floating_ips.values()]


def test_model() -> None:
    """Whatever is asked for, the status and the rows are those of the model."""
    is_shallow = os.environ.get("TESTS_DEPTH") == "shallow"
    run_state_machine_as_test(
        EverythingMachine,
        settings=settings(
            max_examples=EXAMPLES // 4 if is_shallow else EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
