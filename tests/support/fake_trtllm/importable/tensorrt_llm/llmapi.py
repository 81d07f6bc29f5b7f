"""The module that a worker looks for."""


class KvCacheConfig: ...
