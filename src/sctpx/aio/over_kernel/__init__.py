"""Asyncio over the kernel's SCTP: the associations and endpoints of ``aio`` on sockets of the package ``kernel``.

An ``Endpoint`` is a one-to-many socket of the kernel. Each association that comes up on it is peeled off, and has a
socket of its own from then on: its messages and the kernel's notifications of it, in order. ``incoming`` reads these
ahead, ``told`` turns notifications into events, ``association`` and ``endpoint`` are what users see.
"""
