# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Planners: pure functions from (view, request) to the operations that fulfil it.

A planner writes the rows that it wants into a `Draft`; the draft knows the
differences, the guards and the operations. Nothing here does I/O, reads a clock
or chooses at random: a request planned twice from one view gives one plan.
"""
