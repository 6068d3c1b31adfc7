"""A server in several processes on one UDP port: ``start_server(..., workers=N)``.

``server`` is what the program has of it. It opens the sockets (``link.steering``) and starts the processes, which
``process`` describes; each runs an event loop, a stack and a server of its own, and has its share of the associations.
``mail`` carries packets that came to the wrong process.
"""
