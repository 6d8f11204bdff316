#!/bin/sh
# Install a lock into venv/, as make does: PYTHON=python3 scripts/install.sh requirements-local.txt
# venv/ is made if it is missing, and made anew if it does not work or if an install was cut off in it.
set -eu
python=${PYTHON:-python3}
end() {
  echo "$1" >&2
  exit 1
}

if [ -e venv/.unfinished ] || ! venv/bin/python -m pip --version >/dev/null 2>&1; then
  name="name another one: make install PYTHON=python3.11"
  command -v "$python" >/dev/null || end "Ecolane needs Python 3.11 or newer, and there is no $python; install it, or $name"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    end "Ecolane needs Python 3.11 or newer, and $python is $("$python" -V 2>&1); $name"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    end "$python lacks its venv module; on Debian and Ubuntu: apt install python3-venv"
  rm -rf venv
  mkdir venv
  touch venv/.unfinished
  "$python" -m venv venv
fi
echo "Installing $1 into venv/: less than a minute on a fast network ..."
touch venv/.unfinished
trap 'exit 130' INT TERM # cut off by hand: the mark stays
PIP_USER=0 venv/bin/python -m pip install -qq --disable-pip-version-check -r "$1" || failed=yes
rm venv/.unfinished
[ -z "${failed:-}" ] || end "$1 could not be installed: pip says why above. It needs a network, or a mirror in PIP_INDEX_URL; then repeat."
