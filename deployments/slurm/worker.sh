#!/usr/bin/env bash
#SBATCH --job-name=unet-flows-gpu
#SBATCH --partition=gpu
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=worker-%j.log
# A Prefect worker of the pool `gpu`, or of another one that is named; it takes the runs that a server hands out:
#   PREFECT_API_URL=http://SERVER:4200/api sbatch worker.sh
#   PREFECT_API_URL=http://SERVER:4200/api sbatch --partition=compute --gres=none worker.sh cpu
# A password of the server, PREFECT_API_AUTH_STRING, goes along from the shell's environment.
set -euo pipefail
: "${PREFECT_API_URL:?must be the address of a server, such as http://SERVER:4200/api}"
export PATH="${UNET_FLOWS_VENV:-/opt/unet-flows/.venv}/bin:$PATH"
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-8}" DO_NOT_TRACK=1
exec prefect worker start --pool "${1:-gpu}" --type process --limit 1
