"""Optional real sources: reading what a user supplies, in each publisher's own format.

Nothing here is needed for the packaged knowledge; a source that is not supplied is simply absent.
"""
