"""${message}

Revises: ${down_revision | comma,n}
"""

from db.migrations.objects import create, execute

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else 'create("topic/object", version=1)'}


def downgrade() -> None:
    ${downgrades if downgrades else 'execute("drop function object")'}
