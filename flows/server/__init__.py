"""Which Prefect server is used, and what is put on it?

`address` finds or starts one, `definitions` reads `deployments/prefect.yaml`, which `serve` runs on this machine and
`deploy` puts onto a server there is, with `automations`; `unstick` frees what killed workers hold.
"""
