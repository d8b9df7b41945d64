# Written by infra/terraform.py from the parameters of infra/template.yaml.

variable "operator_email" {
  type        = string
  description = "Who is told of alarms, failures, held sweeps and changed policies. The address has to confirm twice."

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+$", var.operator_email))
    error_message = "OperatorEmail: an e-mail address."
  }
}

variable "architecture" {
  type        = string
  description = "What the bootstrap was built for. `make deploy` reads it from the file itself."
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Architecture: allowed are x86_64, arm64."
  }
}

variable "accounts" {
  type        = list(string)
  description = "ACCOUNTS. Comma-separated account ids whose findings count; * is all of them, and !ID leaves one out, as in *,!ID."
  default     = ["*"]

  validation {
    condition     = alltrue([for item in var.accounts : can(regex("^(\\*|!?\\d{12})$", item))])
    error_message = "Accounts: account ids of 12 digits, each perhaps after an exclamation mark, or *."
  }
}

variable "mode" {
  type        = string
  description = "MODE. dry-run: read everything, write nothing. The functions' roles then lack every writing action."
  default     = "remediate"

  validation {
    condition     = contains(["remediate", "dry-run"], var.mode)
    error_message = "Mode: allowed are remediate, dry-run."
  }
}

variable "max_password_age_days" {
  type        = number
  description = "MAX_PASSWORD_AGE_DAYS. A stricter account policy or control parameter wins."
  default     = 90

  validation {
    condition     = var.max_password_age_days >= 1 && var.max_password_age_days <= 1095
    error_message = "MaxPasswordAgeDays: allowed are 1 to 1095."
  }
}

variable "password_length" {
  type        = number
  description = "PASSWORD_LENGTH, raised to the account policy's minimum."
  default     = 24

  validation {
    condition     = var.password_length >= 8 && var.password_length <= 128
    error_message = "PasswordLength: allowed are 8 to 128."
  }
}

variable "password_policy" {
  type        = string
  description = "PASSWORD_POLICY. report: say what would change, change nothing."
  default     = "strengthen"

  validation {
    condition     = contains(["strengthen", "report"], var.password_policy)
    error_message = "PasswordPolicy: allowed are strengthen, report."
  }
}

variable "sweep" {
  type        = string
  description = "SWEEP. What follows a policy finding; stale resets the users whose passwords are too old."
  default     = "stale"

  validation {
    condition     = contains(["stale", "off"], var.sweep)
    error_message = "Sweep: allowed are stale, off."
  }
}

variable "max_resets_per_sweep" {
  type        = number
  description = "MAX_RESETS_PER_SWEEP. More users than this are held for a person."
  default     = 25

  validation {
    condition     = var.max_resets_per_sweep >= 0 && var.max_resets_per_sweep <= 5000
    error_message = "MaxResetsPerSweep: allowed are 0 to 5000."
  }
}

variable "grace_days" {
  type        = number
  description = "GRACE_DAYS. For so many days a user only has to change a stale password at the next sign-in; then it is replaced. 0 replaces it at once."
  default     = 0

  validation {
    condition     = var.grace_days >= 0 && var.grace_days <= 90
    error_message = "GraceDays: allowed are 0 to 90."
  }
}

variable "warn_days" {
  type        = list(string)
  description = "WARN_DAYS. So many days before a password is too old, an audit tells its user; comma-separated, empty for never."
  default     = ["14", "3"]

  validation {
    condition     = alltrue([for item in var.warn_days : can(regex("^([1-9]\\d?|[12]\\d\\d|3[0-5]\\d|36[0-5])?$", item))])
    error_message = "WarnDays: whole numbers from 1 to 365, separated by commas, or nothing."
  }
}

variable "claim_days" {
  type        = number
  description = "CLAIM_DAYS. After so many days an audit reminds users who have not used a new password."
  default     = 7

  validation {
    condition     = var.claim_days >= 1 && var.claim_days <= 90
    error_message = "ClaimDays: allowed are 1 to 90."
  }
}

variable "email_tag" {
  type        = string
  description = "EMAIL_TAG. Key of the IAM tag with a user's e-mail address, which an audit subscribes to the user's messages; empty for none. Only with one may the audit subscribe anybody."
  default     = ""

  validation {
    condition     = can(regex("^([A-Za-z0-9_.:/=+@-][A-Za-z0-9 _.:/=+@-]{0,127})?$", var.email_tag))
    error_message = "EmailTag: it has to match ^([A-Za-z0-9_.:/=+@-][A-Za-z0-9 _.:/=+@-]{0,127})?$."
  }
}

variable "exempt_tag_key" {
  type        = string
  description = "EXEMPT_TAG, before the equals sign. Users with this tag are never touched; IAM itself forbids it."
  default     = "password-remediation"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.:/+@-][A-Za-z0-9 _.:/+@-]{0,127}$", var.exempt_tag_key))
    error_message = "ExemptTagKey: it has to match ^[A-Za-z0-9_.:/+@-][A-Za-z0-9 _.:/+@-]{0,127}$."
  }
}

variable "exempt_tag_value" {
  type        = string
  description = "EXEMPT_TAG, after the equals sign."
  default     = "exempt"

  validation {
    condition     = can(regex("^[A-Za-z0-9 _.:/=+@-]{0,256}$", var.exempt_tag_value))
    error_message = "ExemptTagValue: it has to match ^[A-Za-z0-9 _.:/=+@-]{0,256}$."
  }
}

variable "exempt_users" {
  type        = string
  description = "EXEMPT_USERS. Comma-separated globs of user names or paths, such as /break-glass/*"
  default     = ""

  validation {
    condition     = length(var.exempt_users) <= 1024
    error_message = "ExemptUsers: allowed are up to 1024 characters."
  }
}

variable "change_password_grant" {
  type        = string
  description = "CHANGE_PASSWORD_GRANT. attach gives IAMUserChangePassword to users who could not change their password otherwise; skip leaves them alone."
  default     = "attach"

  validation {
    condition     = contains(["attach", "skip"], var.change_password_grant)
    error_message = "ChangePasswordGrant: allowed are attach, skip."
  }
}

variable "secret_prefix" {
  type        = string
  description = "SECRET_PREFIX. Secrets are named PREFIX/ACCOUNT/USER."
  default     = "iam-console-password"

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=.@-]([A-Za-z0-9/_+=.@-]{0,126}[A-Za-z0-9_+=.@-])?$", var.secret_prefix))
    error_message = "SecretPrefix: 1 to 128 letters, digits and / _ + = . @ -, with no slash at either end."
  }
}

variable "secret_kms_key_arn" {
  type        = string
  description = "SECRET_KMS_KEY_ID. ARN of a customer key for the secrets; empty for the key that AWS manages, at no cost."
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+)?$", var.secret_kms_key_arn))
    error_message = "SecretKmsKeyArn: it has to match ^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+)?$."
  }
}

variable "password_age_findings" {
  type        = list(string)
  description = "PASSWORD_AGE_FINDINGS. Comma-separated globs of generator ids or Config rule names, in any case of letters: which findings about users are about the age of passwords. One that names a security control never is."
  default     = ["*password-age*", "*password_age*", "*passwordage*", "*password-max-age*", "*password-expir*", "*password_expir*", "*old-password*", "*old_password*", "*password*older*"]

  validation {
    condition     = alltrue([for item in var.password_age_findings : can(regex("^[A-Za-z0-9 *?_.:/+=@-]{1,128}$", item))])
    error_message = "PasswordAgeFindings: it has to match ^[A-Za-z0-9 *?_.:/+=@-]{1,128}$."
  }
}

variable "trusted_products" {
  type        = list(string)
  description = "TRUSTED_PRODUCTS. Comma-separated globs of further product ARNs, in any case of letters. Whoever can write findings of these has users looked at, whose passwords are reset if they are too old. If any is set, the rules forward the findings about users of every product, and the function sorts them out."
  default     = []

  validation {
    condition     = alltrue([for item in var.trusted_products : can(regex("^[A-Za-z0-9*?_.:/-]{0,256}$", item))])
    error_message = "TrustedProducts: it has to match ^[A-Za-z0-9*?_.:/-]{0,256}$."
  }
}

variable "work_queue" {
  type        = string
  description = "WORK_QUEUE_URL. Whether sweeps queue one job a user or work inline, where 900 seconds are the limit. Without queues there are no orders for all accounts, and the schedules see to the functions' own account alone."
  default     = "use"

  validation {
    condition     = contains(["use", "none"], var.work_queue)
    error_message = "WorkQueue: allowed are use, none."
  }
}

variable "member_role_name" {
  type        = string
  description = "MEMBER_ROLE_NAME. The role of infra/member-role.yaml in the accounts of the organisation; empty for none. Without one, the rules forward findings of the function's own account only. The audit's role there is NAME-audit, and IAM allows 64 characters."
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{0,58}$", var.member_role_name))
    error_message = "MemberRoleName: it has to match ^[A-Za-z0-9+=,.@_-]{0,58}$."
  }
}

variable "notification_language" {
  type        = string
  description = "NOTIFICATION_LANGUAGE."
  default     = "en"

  validation {
    condition     = contains(["en", "ja"], var.notification_language)
    error_message = "NotificationLanguage: allowed are en, ja."
  }
}

variable "support_contact" {
  type        = string
  description = "SUPPORT_CONTACT. Who hands over the password to users who cannot read the secret; stands in every message."
  default     = ""

  validation {
    condition     = length(var.support_contact) <= 500
    error_message = "SupportContact: allowed are up to 500 characters."
  }
}

variable "log_level" {
  type        = string
  description = "RUST_LOG. A level or a list of TARGET=LEVEL. No level makes a secret visible."
  default     = "info"

  validation {
    condition     = can(regex("^[A-Za-z0-9_:=,]{1,256}$", var.log_level))
    error_message = "LogLevel: it has to match ^[A-Za-z0-9_:=,]{1,256}$."
  }
}

variable "ledger_kms_key_arn" {
  type        = string
  description = "ARN of a customer key for the ledger's table; empty for the key that DynamoDB owns, at no cost."
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+)?$", var.ledger_kms_key_arn))
    error_message = "LedgerKmsKeyArn: it has to match ^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+)?$."
  }
}

variable "sweep_schedule" {
  type        = string
  description = "When to sweep the function's own account and, with MemberRoleName, those of the organisation, such as rate(1 day) or cron(0 3 * * ? *); empty for never. Where Security Hub is off, only this resets anybody by itself."
  default     = ""

  validation {
    condition     = can(regex("^((rate|cron|at)\\(.+\\))?$", var.sweep_schedule))
    error_message = "SweepSchedule: it has to match ^((rate|cron|at)\\(.+\\))?$."
  }
}

variable "audit_schedule" {
  type        = string
  description = "When to audit the same accounts; empty for never."
  default     = "rate(1 day)"

  validation {
    condition     = can(regex("^((rate|cron|at)\\(.+\\))?$", var.audit_schedule))
    error_message = "AuditSchedule: it has to match ^((rate|cron|at)\\(.+\\))?$."
  }
}

variable "custom_action" {
  type        = string
  description = "Whether the stack makes Security Hub's custom action ResetPassword. Needs Security Hub CSPM, and one of the few regions where CloudFormation can; `make deploy` sees to both, and makes the action itself elsewhere."
  default     = "none"

  validation {
    condition     = contains(["create", "none"], var.custom_action)
    error_message = "CustomAction: allowed are create, none."
  }
}

variable "log_retention_days" {
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653], var.log_retention_days)
    error_message = "LogRetentionDays: allowed are 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653."
  }
}

variable "log_kms_key_arn" {
  type        = string
  description = "ARN of a customer key for the log, whose policy lets CloudWatch Logs of this region use it; empty for the key that CloudWatch owns, at no cost."
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+)?$", var.log_kms_key_arn))
    error_message = "LogKmsKeyArn: it has to match ^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+)?$."
  }
}

variable "reserved_concurrency" {
  type        = number
  description = "How many concurrent executions are set aside for the function, which are also the most that it gets; 0 for none. New accounts have none to set aside."
  default     = 0

  validation {
    condition     = var.reserved_concurrency >= 0 && var.reserved_concurrency <= 1000
    error_message = "ReservedConcurrency: allowed are 0 to 1000."
  }
}

variable "function_role_name" {
  type        = string
  description = "Name of the function's role, which the member roles trust; empty for STACK-REGION. The audit's role is NAME-audit, and IAM allows 64 characters."
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{0,58}$", var.function_role_name))
    error_message = "FunctionRoleName: it has to match ^[A-Za-z0-9+=,.@_-]{0,58}$."
  }
}

variable "role_path" {
  type        = string
  description = "Path of every role here. IAM cannot move a role: with another path, FunctionRoleName has to be another too."
  default     = "/"

  validation {
    condition     = length(var.role_path) <= 512
    error_message = "RolePath: allowed are up to 512 characters."
  }

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.role_path))
    error_message = "RolePath: it has to match ^/([A-Za-z0-9+=,.@_-]+/)*$."
  }
}

variable "permissions_boundary_arn" {
  type        = string
  description = "ARN of the policy that bounds every role here; empty for none. It has to allow what the roles allow."
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:iam::(\\d{12}|aws):policy/[A-Za-z0-9/+=,.@_-]+)?$", var.permissions_boundary_arn))
    error_message = "PermissionsBoundaryArn: it has to match ^(arn:aws[a-z-]*:iam::(\\d{12}|aws):policy/[A-Za-z0-9/+=,.@_-]+)?$."
  }
}

locals {
  parameters = {
    OperatorEmail          = var.operator_email
    Architecture           = var.architecture
    Accounts               = join(",", var.accounts)
    Mode                   = var.mode
    MaxPasswordAgeDays     = var.max_password_age_days
    PasswordLength         = var.password_length
    PasswordPolicy         = var.password_policy
    Sweep                  = var.sweep
    MaxResetsPerSweep      = var.max_resets_per_sweep
    GraceDays              = var.grace_days
    WarnDays               = join(",", var.warn_days)
    ClaimDays              = var.claim_days
    EmailTag               = var.email_tag
    ExemptTagKey           = var.exempt_tag_key
    ExemptTagValue         = var.exempt_tag_value
    ExemptUsers            = var.exempt_users
    ChangePasswordGrant    = var.change_password_grant
    SecretPrefix           = var.secret_prefix
    SecretKmsKeyArn        = var.secret_kms_key_arn
    PasswordAgeFindings    = join(",", var.password_age_findings)
    TrustedProducts        = join(",", var.trusted_products)
    WorkQueue              = var.work_queue
    MemberRoleName         = var.member_role_name
    NotificationLanguage   = var.notification_language
    SupportContact         = var.support_contact
    LogLevel               = var.log_level
    LedgerKmsKeyArn        = var.ledger_kms_key_arn
    SweepSchedule          = var.sweep_schedule
    AuditSchedule          = var.audit_schedule
    CustomAction           = var.custom_action
    LogRetentionDays       = var.log_retention_days
    LogKmsKeyArn           = var.log_kms_key_arn
    ReservedConcurrency    = var.reserved_concurrency
    FunctionRoleName       = var.function_role_name
    RolePath               = var.role_path
    PermissionsBoundaryArn = var.permissions_boundary_arn
  }
}
