#!/usr/bin/env bash
# Sets Cell Counter up on Debian, Ubuntu or macOS, in an active venv or conda environment, or on Colab.
set -euo pipefail
unset CDPATH
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
log=$root/.cache/install.log
steps=3 step_number=0 explained='' tmp=''

usage() {
  cat <<'TEXT'
bash icevision_install.sh [auto|cpu|cuda] [0.12.0|master]

  auto    (default) PyTorch for the GPU if nvidia-smi finds one, else its smaller CPU build
  cpu     the CPU build; cuda: the build for NVIDIA GPUs (cuda10 and cuda11 mean the same)
  0.12.0  (default) IceVision's last release; master: its public repository as it is today

Installs into the active venv or conda environment, on Colab and Kaggle into their Python, else
into .venv beside this script. Running it again is quick and changes nothing.
  --which prints the Python that it installs into, and does nothing else.
TEXT
}

die() {
  explained=yes
  echo "icevision_install.sh: $*" >&2
  exit 1
}

finish() { # whatever ends the script, it ends with a sentence and without its temporary files
  local status=$?
  [[ -z $tmp ]] || rm -rf "$tmp"
  ((status == 0)) || [[ -n $explained ]] ||
    echo "icevision_install.sh: stopped by an unforeseen error (see above and $log); run it again to go on." >&2
}
trap finish EXIT
trap 'die "interrupted; run it again and it goes on."' INT TERM HUP

command -v timeout >/dev/null || timeout() { shift; "$@"; } # macOS has none
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }
fits() { [[ $(version_of "$1") =~ ^3\.1[0-3]$ ]]; } # the versions that every pin has wheels for

# Sets env, the environment's folder, and py, its Python, which may be yet to make.
find_environment() {
  env=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
  if [[ -z $env && -n ${COLAB_RELEASE_TAG:-}${KAGGLE_KERNEL_RUN_TYPE:-} ]]; then
    py=$(command -v python3) # env stays empty: Colab and Kaggle run notebooks in their own Python
  else
    env=${env:-$root/.venv}
    py=$env/bin/python
  fi
}

# Sets base, a Python that fits: the environment's own, or one to make .venv with.
find_python() {
  base=$py
  fits "$py" && return
  [[ $env == "$root/.venv" ]] ||
    die "Python 3.10 to 3.13 is needed, and ${env:-this host} has $(version_of "$py" | grep . || echo none): deactivate it or make another."
  for base in python3 python3.13 python3.12 python3.11 python3.10; do
    fits "$base" && break
  done
  fits "$base" || die "Python 3.10 to 3.13 is needed, and python3 is $(version_of python3 | grep . || echo missing):" \
    "on Debian or Ubuntu, sudo apt install python3 python3-venv; then run this again."
  "$base" -c 'import ensurepip, venv' 2>/dev/null ||
    die "Python's venv module is missing: sudo apt install python$(version_of "$base")-venv, then run this again."
}

make_environment() {
  if ! fits "$py"; then
    need_space 1 "$root"
    echo "Making .venv with Python $(version_of "$base")."
    "$base" -m venv --clear "$env" >"$log" 2>&1 || die "making .venv failed: $(reason)."
  fi
  "$py" -m pip --version >/dev/null 2>&1 || "$py" -m ensurepip >"$log" 2>&1 ||
    die "$py has no pip: add it ('conda install pip', or '$py -m ensurepip'), then run this again."
}

need_space() { # need_space GB FOLDER
  local free
  free=$(df -Pk "$2" | awk 'NR == 2 { print int($4 / 1048576) }')
  ((free >= $1)) || die "$1 GB of free disk are needed in $2, which has $free GB: make room, then run this again."
}

reason() { # the last error in pip's log, or else the last line that says something
  local errors
  errors=$(grep -E '^ERROR: ' "$log" | grep -vE 'ERROR: (Exception:|ResolutionImpossible)') ||
    errors=$(grep -vE '^\s*$|note: |hint: |error: subprocess|end of output|[×│╰]' "$log") || errors='no message'
  tail -n 1 <<<"$errors" | sed -E 's/^(ERROR: | +)//'
}

step() { # step WHAT COMMAND...
  local from=$SECONDS
  step_number=$((step_number + 1))
  printf '[%d/%d] %s ... ' "$step_number" "$steps" "$1"
  if ! "${@:2}" >>"$log" 2>&1; then
    echo failed
    local network=''
    grep -q 'Retrying (Retry' "$log" && network=' (the package index did not always answer)'
    die "step $step_number failed$network: $(reason) -- the whole log is $log; run this again to go on."
  fi
  echo "$((SECONDS - from)) s"
}

pip_install() { # wheels only; modules are compiled when first imported, and most never are
  "$py" -m pip install --no-compile --disable-pip-version-check --no-input --no-warn-script-location --only-binary :all: "$@"
}

ask() { (cd "$root" && timeout 300 "$py" -c "from cellcount.setup import install, packages; $1" 2>>"$log"); }
whole() { ask 'raise SystemExit(not packages.hold())'; }

install_torch() {
  local pair what="PyTorch for NVIDIA GPUs, 3 GB to download" gigabytes=12
  read -r -a pair < <(ask 'print(*install.torch_pins())')
  if ask 'print(*install.torch_here(), sep="\n")' >"$tmp/torch.txt"; then
    need_space 3 "$prefix"
    step_number=1
    echo "[1/$steps] $(paste -sd' ' "$tmp/torch.txt") is here and works: kept"
    return
  fi
  if [[ $(uname) == Darwin ]]; then
    what="PyTorch, 0.1 GB to download" gigabytes=5
  elif [[ $mode == cpu ]] || { [[ $mode == auto ]] && ! nvidia-smi >/dev/null 2>&1; }; then
    if ask 'raise SystemExit(not install.cpu_builds_offered())'; then
      what="PyTorch's CPU build, 0.2 GB to download" gigabytes=5
      pair=("${pair[@]/%/+cpu}" --extra-index-url https://download.pytorch.org/whl/cpu)
    else
      echo "PyTorch's CPU build cannot be had from here, so the larger one for NVIDIA GPUs is taken, which needs none."
    fi
  fi
  need_space $gigabytes "$prefix"
  step "$what" pip_install -c "$tmp/requirements.txt" "${pair[@]}"
  ask 'print(*install.torch_here(), sep="\n")' >"$tmp/torch.txt" ||
    die "PyTorch was installed and does not import: $(reason)."
}

# mmcv and labelImg come as source only. Both are pure Python, mmcv once it leaves its operators out; to
# build them takes a setuptools that has pkg_resources, and what Python 3.13 ended (PEP 667): that exec()
# in a function adds to the function's locals(), where mmcv's setup.py looks for its version.
install_apart() {
  "$py" -m pip uninstall --yes icevision # one from its repository would pass for the release
  pip_install --target "$tmp/build" 'setuptools<80' || return
  cat >"$tmp/build/sitecustomize.py" <<'PY'
import builtins, sys
if sys.version_info >= (3, 13):
    exec_apart = builtins.exec
    def exec_here(source, *spaces, **more):
        caller = sys._getframe(1)
        exec_apart(source, *(spaces or (caller.f_globals, caller.f_locals)), **more)
    builtins.exec = exec_here
PY
  PYTHONPATH=$tmp/build PIP_USE_PEP517=1 MMCV_WITH_OPS=0 pip_install --no-deps --no-build-isolation \
    --no-binary mmcv,labelImg -r "$tmp/requirements-apart.txt" || return
  [[ $version != master ]] || "$py" -m pip install --no-deps --force-reinstall "$master" || return
  install_command
}

# The command `cellcount`, which runs the files beside this script.
install_command() {
  pip_install 'setuptools>=70.1' && # there already, as a rule; it is what builds
    "$py" -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable "$root"
}

main() {
  case ${1:-} in
    -h | --help) usage; exit ;;
    --which) find_environment; echo "$py"; exit ;;
    '' | auto | cpu | cuda) mode=${1:-} ;;
    cuda10 | cuda11) mode=cuda && echo "$1 means cuda here: today's PyTorch brings its own CUDA." ;;
    *) die "'$1' is none of auto, cpu, cuda (see --help)." ;;
  esac
  [[ $# -le 2 && ${2:-} =~ ^(|0\.12\.0|master)$ ]] || die "'${*:2}' is none of 0.12.0, master (see --help)."
  version=${2:-} master=https://github.com/airctic/icevision/archive/refs/heads/master.zip

  mkdir -p "$root/.cache"
  find_environment
  find_python
  # The stamp says that all was installed, from which pins and how; without arguments, any how will do.
  local stamp pins how="${mode:-*} ${version:-*}"
  prefix=${env:-$("$py" -c 'import sys; print(sys.prefix)')}
  stamp=$prefix/.cellcount-installed
  pins="$(cat "$root"/requirements{,-apart}.txt | cksum) $(version_of "$base")"
  # shellcheck disable=SC2053 # how is a pattern
  if [[ -f $stamp && $(<"$stamp") == "$pins "$how ]] && whole; then
    [[ -z $env || -x $env/bin/cellcount ]] || install_command >"$log" 2>&1 ||
      die "the command cellcount cannot be installed: $(reason)."
    echo "Everything is installed in $prefix; 'cellcount doctor' looks closer."
    exit
  fi

  mode=${mode:-auto} version=${version:-0.12.0}
  if [[ $version == master ]]; then
    (cd "$root" && timeout 30 "$base" -c "from cellcount.setup import install; install.reach('$master')" 2>>"$log") ||
      die "IceVision's public repository (github.com/airctic/icevision) cannot be reached: nothing was changed."
  fi
  make_environment
  rm -f "$stamp"
  echo "Installing into $prefix; the details go to $log."
  : >"$log"
  tmp=$prefix/.cellcount-tmp # not /tmp, which is small where it is kept in memory
  mkdir -p "$tmp"
  export TMPDIR=$tmp
  # A package that an interrupted pip half unpacked lacks this file, and would pass for installed.
  [[ $env != "$root/.venv" ]] ||
    find "$prefix"/lib/python3*/site-packages -maxdepth 1 -name '*.dist-info' ! -exec test -e {}/INSTALLER \; -exec rm -r {} +
  ask 'print(*install.to_install(apart=False), sep="\n")' >"$tmp/requirements.txt"
  ask 'print(*install.to_install(apart=True), sep="\n")' >"$tmp/requirements-apart.txt"

  install_torch
  step "The libraries around it, 0.3 GB to download" pip_install -r "$tmp/requirements.txt" -c "$tmp/torch.txt"
  step "IceVision, MMDetection and fastai" install_apart
  whole && echo "$pins $mode $version" >"$stamp"
  explained=yes # by the doctor
  cd "$root" && "$py" -m cellcount doctor --brief
}

main "$@"
