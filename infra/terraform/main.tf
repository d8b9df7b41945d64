# The stack for those who have only Terraform: uploads what `make package` wrote and deploys its template. Variables for
# the template's parameters stand in variables.tf.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "package" {
  type        = string
  description = "The directory that make package wrote, such as ../../dist. Check its SHA256SUMS before."
}

variable "bucket" {
  type        = string
  description = "A bucket of yours in the stack's region, which gets the code and the template."
}

variable "stack_name" {
  type        = string
  description = "What the stack is called."
  default     = "iam-password-remediator"
}

locals {
  template = "${var.package}/template.yaml"
  archive  = one(fileset(var.package, "iam-password-remediator-${var.architecture}-*.zip"))
}

data "aws_s3_bucket" "this" {
  bucket = var.bucket
}

# Both keys carry a hash, so what lies under a key never changes. What is new is there before the stack asks for it, and
# what is old until the stack has let go of it.
resource "aws_s3_object" "code" {
  bucket = data.aws_s3_bucket.this.id
  key    = "${var.stack_name}/${local.archive}"
  source = "${var.package}/${local.archive}"

  lifecycle {
    create_before_destroy = true
  }
}

# Too long to be handed to CloudFormation by itself.
resource "aws_s3_object" "template" {
  bucket = data.aws_s3_bucket.this.id
  key    = "${var.stack_name}/template-${substr(filesha256(local.template), 0, 12)}.yaml"
  source = local.template

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "this" {
  name         = var.stack_name
  template_url = "https://${data.aws_s3_bucket.this.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  # The function's role has a name, and the template uses AWS's transform for serverless applications.
  capabilities = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = merge(local.parameters, {
    CodeBucket = aws_s3_object.code.bucket
    CodeKey    = aws_s3_object.code.key
  })
}

output "outputs" {
  description = "What the stack puts out, such as FunctionRoleArn for the member role."
  value       = aws_cloudformation_stack.this.outputs
}
