"""What can go wrong while starting, said so that the reader can mend it."""


class ServiceError(Exception):
    """A service cannot run; the message says which, why and what to do."""
