#!/bin/sh
# Of the base: what could fetch or install goes, what Python needs at every start is compiled once.
set -eu

# The walls around each step where the engine runs in a container.
command -v bwrap >/dev/null || {
    apt-get update -q
    apt-get install -q -y --no-install-recommends bubblewrap
}

stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
for name in ensurepip idlelib turtledemo tkinter test lib2to3 pydoc_data config-3.13-x86_64-linux-gnu config-3.13-aarch64-linux-gnu; do
    rm -rf "${stdlib:?}/$name"
done
rm -f "$stdlib"/lib-dynload/_test*
for name in pip setuptools wheel; do
    rm -rf "${stdlib:?}/site-packages/$name" "${stdlib:?}/site-packages/$name"-*.dist-info
done
rm -f /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/bin/pydoc* /usr/local/bin/python*-config
dpkg --purge apt
# Essential where packages are installed, and nothing is any more: Perl, what asks questions, the libraries of apt.
for name in perl-base debconf libapt-pkg7.0 sqv libdb5.3t64 debian-archive-keyring; do
    if dpkg-query --show "$name" >/dev/null 2>&1; then
        dpkg --purge --force-depends --force-remove-essential "$name"
    fi
done
# iconv's tables; Python has its own.
rm -rf /usr/lib/*/gconv /etc/apt /usr/share/doc/* /usr/share/man/* /usr/share/info/* /usr/share/locale/* /usr/share/bash-completion \
    /usr/share/lintian /var/lib/apt /var/log/* /var/cache/* /var/lib/dpkg/*-old /var/backups/* /root/.cache /tmp/* \
    /etc/machine-id /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-

# By hash and unchecked: all dates in the image become the same, and so would not fit their sources'.
find "$stdlib" /usr/lib/python3 -name __pycache__ -type d -prune -exec rm -rf {} +
PYTHONHASHSEED=0 python3 -m compileall -q --invalidation-mode unchecked-hash "$stdlib"

echo 'esteira:x:10001:10001:Esteira:/tmp:/usr/sbin/nologin' >> /etc/passwd
echo 'esteira:x:10001:' >> /etc/group
# Where a volume is mounted that shall outlive the container; it takes over the owner.
install -d -o 10001 -g 10001 -m 0700 /var/lib/esteira

# Nobody becomes somebody else in here.
find / -xdev -type f -perm /6000 -exec chmod a-s {} +
