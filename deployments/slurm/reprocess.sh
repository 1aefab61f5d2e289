#!/usr/bin/env bash
#SBATCH --job-name=reprocess
#SBATCH --partition=gpu
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=reprocess-%j.log
# Makes all that is stale, without any server:   sbatch reprocess.sh /data/my-dataset
# Every night, where scrontab is allowed:        0 2 * * *  sbatch /opt/unet-flows/deployments/slurm/reprocess.sh /data/my-dataset
# A job whose time runs out is told so two minutes before; the next one takes up the work where it stopped.
set -euo pipefail
export PATH="${UNET_FLOWS_VENV:-/opt/unet-flows/.venv}/bin:$PATH"
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-8}" DO_NOT_TRACK=1
exec unet-flows reprocess "$@"
