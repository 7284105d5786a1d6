"""The rate of requests, and how failed requests are repeated."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """The rate of requests, and how failed requests are repeated.

    Parameters
    ----------
    at_once : int
        Number of requests at the same time.
    rate : float
        Largest number of requests per second.
    tries : int
        Largest number of tries of a request.
    first_delay, longest_delay : float
        Seconds before the second try; doubled for each further try up to the longest, with jitter.
    longest_wait : float
        Seconds; where the server asks for a longer pause (Retry-After), the fetch stops and can be continued later.
    timeout : float
        Seconds without data after which a request has failed.
    unreachable : float
        Seconds after which a fetch ends whose first connection cannot be made, since the network or the address is wrong. Once
        the server has answered, connections that fail are tried as often as other requests.
    """

    at_once: int = 16
    rate: float = 100.0
    tries: int = 8
    first_delay: float = 1.0
    longest_delay: float = 60.0
    longest_wait: float = 900.0
    timeout: float = 30.0
    unreachable: float = 10.0
