# A thin front of waf and the test runners; `make help` says what there is.

PREPARE := source/build/prepare.sh
TREE = $(shell $(PREPARE) --print)
WAF = PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONHASHSEED=1 \
	python3 $(TREE)/src/buildtools/bin/waf
OTHER = $(wildcard $(dir $(TREE))samba-trixie/ready)

.PHONY: all prepare configure install test demo check-style clean help \
	soak network torture fuzz mutants crash chaos nightly integration \
	model stage bench microbench scale moves events splitbrain

all: build/configured
	@$(WAF) build
	@echo "built: module, mirrord, mirrorctl in build/$(if $(OTHER),; compiles against Samba 4.22 as well)"

help:
	@echo "make              build (prepares the machine first: packages, Samba's headers)"
	@echo "make install      install below / or DESTDIR"
	@echo "make demo         two nodes on this machine, a power cut, nothing lost [KEEP=1]"
	@echo "make test         all tests"
	@echo "make soak CUTS=20 power cuts in a row under load [FS=ext4|xfs] [MIRROR=yes|no]"
	@echo "make moves        20 planned moves in a row under load [MOVES=20] [FS=ext4|xfs]"
	@echo "make chaos        histories under faults, checked [SEED=..] [SEEDS=n] [MINUTES=..] [FAULTS=..]"
	@echo "make integration  all integration tests, the long ones, too"
	@echo "make nightly      the same for an hour"
	@echo "make network      every single and double failure of the network, with clients [FAST=1] [SEED=..] [CELL=..]"
	@echo "make splitbrain   every cut of links with every loss of the cluster lock (hours) [RUNS=20] [CELL=..] [SEED=..]"
	@echo "make bench        speed, against plain Samba and GlusterFS (an hour) [QUICK=1] [VARIANTS=..] [WORKLOADS=..]"
	@echo "make scale        many clients and files, large stores, replays, takeovers, rings (half an hour) [QUICK=1] [PARTS=..]"
	@echo "make torture      smbtorture with and without the module, compared"
	@echo "make microbench   instructions of each part of a record's way, against stored counts [TIME=1] [UPDATE=1]"
	@echo "make fuzz         fuzz targets [SECONDS=60]"
	@echo "make mutants      the product broken on purpose: do its tests notice? [NAMES=..]"
	@echo "make crash        crash points for an hour, or a sample [MINUTES=2] [SEED=1] [FS=xfs] [CASE=..]"
	@echo "make model        models of the protocol, checked with spin [SIZE=large]"
	@echo "make events       docs/events.md, from the table of events"
	@echo "make check-style  line lengths, clang-tidy, cppcheck, shellcheck"

prepare:
	@$(PREPARE)

# Not a line of the recipe: make expands all of them, and so looks for Samba's
# tree, before it runs the first.
build/configured: wscript $(PREPARE) Makefile | prepare
	@mkdir -p build; $(WAF) configure --samba=$(TREE)/src \
		$(if $(OTHER),--samba-compile=$(dir $(OTHER))src) >build/waf.log 2>&1 || { cat build/waf.log >&2; exit 1; }
	@touch $@

install: all
	@$(WAF) install $(if $(DESTDIR),--destdir=$(DESTDIR)) >build/waf.log 2>&1 || { cat build/waf.log >&2; exit 1; }

clean:
	@rm -rf build

# ------------------------------------------------------------------ running

STAGE := build/stage

stage: all
	@rm -rf $(STAGE)
	@$(MAKE) -s install DESTDIR=$(CURDIR)/$(STAGE)

demo: stage
	@tests/demo/demo $(if $(KEEP),--keep)

test: stage
	@tests/run

soak: stage
	@tests/demo/soak --cuts $(or $(CUTS),20) --fs $(or $(FS),ext4) \
		--mirror $(or $(MIRROR),yes)

moves: stage
	@tests/demo/moves --moves $(or $(MOVES),20) --fs $(or $(FS),ext4)

chaos: stage
	@tests/chaos/run $(if $(SEED),--seed $(SEED)) \
		$(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(FAULTS),--faults $(FAULTS))

integration: stage
	@tests/integration/run -a

nightly: MINUTES ?= 60
nightly: chaos

splitbrain: stage
	@tests/splitbrain/matrix --runs $(or $(RUNS),20) \
		$(if $(SEED),--seed $(SEED)) $(if $(CELL),--cell '$(CELL)') \
		--lock $(or $(LOCK),mailbox)

network: stage
	@tests/network/matrix $(if $(FAST),--fast) $(if $(SEED),--seed $(SEED)) \
		$(if $(CELL),--only '$(CELL)')

bench: stage
	@tests/bench/bench $(if $(QUICK),--quick) \
		$(if $(VARIANTS),--variants '$(VARIANTS)') \
		$(if $(WORKLOADS),--workloads '$(WORKLOADS)')

scale: stage
	@tests/bench/scale/scale $(if $(QUICK),--quick) $(or $(PARTS),all)

torture: stage
	@tests/torture/compare

microbench: all
	@tests/bench/micro/run $(if $(TIME),--time) $(if $(UPDATE),--update)

fuzz: all
	@tests/fuzz/run $(or $(SECONDS),60)

mutants:
	@tests/mutants/run -c $(if $(JOBS),-j $(JOBS)) $(NAMES)

crash: all
	@tests/crash/run $(if $(FS),--fs $(FS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(CASE),--case '$(CASE)',$(if \
		$(MINUTES),--sample --minutes $(MINUTES),--minutes 60))

model:
	@tests/model/run $(or $(SIZE),small)

check-style:
	@source/build/check-style

events:
	@source/build/events-page
