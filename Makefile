# Two commands matter: `make book` and `make test`. `make help` lists them all; what each does stands in tools/commands.py,
# and without make the same commands are `python -m tools book`, `python -m tools test` and so on.
.DEFAULT_GOAL := help
COMMANDS := book render test smoke serve outputs check lint claims links pdf slides figures bench gpu run-times forget clean address
.PHONY: help environment python $(COMMANDS)

# What a person gives reaches the tools in the environment, as it was typed: neither make nor a shell reads it again.
export COURSE_JOBS := $(value JOBS)
export COURSE_SCALE := $(value SCALE)
export COURSE_PORT := $(value PORT)
export COURSE_NB := $(value NB)
export COURSE_BASE_URL := $(value BASE_URL)
export COURSE_CONSTRAINTS := $(value CONSTRAINTS)
export COURSE_TORCH := $(value TORCH)
export COURSE_PYTHON := $(or $(value PYTHON3),python3)
unexport JOBS SCALE PORT NB BASE_URL CONSTRAINTS TORCH PYTHON3

define as-typed
override $(1) := $$(value $(1))
export $(1)
endef
$(foreach name,REPOSITORY BRANCH PAGES_URL LABSUPPORT_SCALE LABSUPPORT_STORE LABSUPPORT_DATA,\
  $(if $(value $(name)),$(eval $(call as-typed,$(name)))))

# exec: a TERM for make reaches the tools themselves, not a shell that would leave them behind.
help:
	@exec "$$COURSE_PYTHON" -m tools

$(COMMANDS):
	@exec "$$COURSE_PYTHON" -m tools $@

environment python:
	@exec "$$COURSE_PYTHON" -m tools environment
