"""Which Prefect server is used, who may use it, and what is put on it?

`address` finds one, `process` starts one behind `guard`, which refuses strangers, with a `secret` of this user's.
`definitions` reads `deployments/prefect.yaml`, which `serve` runs on this machine and `deploy` puts onto a server there
is, with `automations`; `unstick` frees what killed workers hold.
"""
