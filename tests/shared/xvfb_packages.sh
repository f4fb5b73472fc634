#!/usr/bin/env bash
# Installs what tests/labelling/test_labelimg_window.py needs to open labelImg on a screen in memory, where
# that is possible: quick and silent when all is there. Elsewhere that test skips and says why.
set -euo pipefail
packages=(xvfb xdotool libgl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon-x11-0
  libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0
  libxcb-xinerama0 libxcb-xkb1 libx11-xcb1)
[[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || exit 0
missing=()
for package in "${packages[@]}"; do
  # Ubuntu 24.04 and Debian 13 ship some under a name that ends in t64.
  dpkg-query -W -f '${Status}\n' "$package" "${package}t64" 2>/dev/null | grep -q ' installed$' ||
    missing+=("$package")
done
((${#missing[@]})) || exit 0
export DEBIAN_FRONTEND=noninteractive
{ apt-get -q update && apt-get -q install --yes --no-install-recommends "${missing[@]}"; } \
  >/dev/null 2>&1 || echo "apt-get did not install ${missing[*]}: the test with labelImg's window skips."
